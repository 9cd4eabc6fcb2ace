"""Virtual crowds: people who move like people, seen by cameras, with exact truth."""
