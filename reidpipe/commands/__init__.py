"""What the commands of `reidpipe` do beside the pipeline, a file or a folder each."""
