"""What the train and weights stages do: `run` trains, `weights` makes what runs start from."""
