"""What grows with the number of classes, samples and cores: the work beside the encoder."""
