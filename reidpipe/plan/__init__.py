"""params.yaml, runs.yaml and the code become plan.json: what decides the result of each stage."""
