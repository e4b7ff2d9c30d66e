"""The body of a Region's dashboard for the stack's template, from the widgets of `ringfence dashboard`."""

import json

from ringfence_ops.dashboard.bodies import Place, region_dashboard

_PLACE = Place("${ClusterName}", "${AWS::Region}", "${AWS::AccountId}", "${AWS::Partition}")


def template_dashboard() -> str:
    """The property `DashboardBody`, a widget on each line."""
    body = region_dashboard(_PLACE)
    widgets = ",\n  ".join(json.dumps(widget, separators=(",", ":")) for widget in body["widgets"])
    return f'DashboardBody: !Sub |-\n  {{"start":"{body["start"]}","widgets":[\n  {widgets}]}}\n'
