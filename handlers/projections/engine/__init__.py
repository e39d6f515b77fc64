"""What projections have in common: updating, counting, generations, and the scan that fills and checks them."""
