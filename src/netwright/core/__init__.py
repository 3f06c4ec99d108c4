"""The article and its mathematics: arrays in, arrays out, with nothing but NumPy.

To be read in this order: `layer` (the article's equations), `activations`, `losses`, `links`, `network` (layers over
theta and grad), `optimizers`, `schedules`, `dropout`, `initializers`, `scores`, `samples`, `gradcheck`, `gauss_newton`,
`bayes`; `registry` and `arguments` serve them.
"""
