"""What runs Earshot and watches it: files for Prometheus, Grafana, systemd and Kubernetes."""
