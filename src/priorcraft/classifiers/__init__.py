"""p(c | x), from a generative model by Bayes' theorem or directly."""
