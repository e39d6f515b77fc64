"""What the sandboxes of outside services share."""
