"""What the train and weights stages do: `run` trains, `weights` makes the backbone."""
