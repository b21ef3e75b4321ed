"""From the end of a training to what ships: weights, their manifest, scores, exports and the model card."""
