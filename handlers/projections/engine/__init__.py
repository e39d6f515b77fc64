"""How projections are fed, counted, numbered in generations, and read by a scan."""
