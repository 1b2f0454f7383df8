"""What tests, benchmarks and the authors of plug-ins need; nothing else of Teasel imports it."""
