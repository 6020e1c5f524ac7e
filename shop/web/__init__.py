"""Request plumbing shared by every feature: context, identity, problems, rendering."""
