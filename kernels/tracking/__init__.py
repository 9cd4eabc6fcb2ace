"""Who is who from frame to frame: motion on a plane, boxes, and matching. Plain numpy, no state."""
