"""`bgblur`: the embedded server and the operator's commands."""
