"""How the engine is: figures of the moment, for subscribers, Prometheus and people."""
