"""CloudWatch dashboards: of one Region, which is part of its stack, and of a whole cluster."""
