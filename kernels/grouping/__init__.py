"""Who moves like whom: relative paths, their distance (SSPD), groups, roles, soft alignment of motions in time."""
