"""How each type of resource is read and repaired, one module for each service. No module knows another."""
