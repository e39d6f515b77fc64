"""What watches the pipeline: alarms in layers, a module for each, and the pages that wake somebody."""
