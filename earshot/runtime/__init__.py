"""What a running role needs: its loop, metrics, probes, log output and connections."""
