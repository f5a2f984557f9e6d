"""From labelled embeddings or bases to the files of a bundle."""
