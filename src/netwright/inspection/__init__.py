"""Looking inside: gradients by the inputs, importances, a step with all its numbers, what ails a training."""
