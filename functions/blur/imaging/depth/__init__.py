"""How far out of focus each row of a photo is, estimated from the matte alone."""
