"""Parts of the tests of fused runs: encoders that differ, and runs on the same images."""
