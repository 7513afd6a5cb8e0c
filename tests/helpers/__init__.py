"""Parts that tests share: images, the slow reference, the App and its operators, a language model's server."""
