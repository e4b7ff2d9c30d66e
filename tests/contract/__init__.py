"""What the engine relies on AWS to do: one contract for the simulator's world, for the lab and for AWS itself."""
