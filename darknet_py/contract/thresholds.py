"""The thresholds that nobody chose: Darknet's own (detector.c test_detector), and one for random weights."""

CONF, IOU = 0.25, 0.45
# Objectness and class are about a half each where weights are random: 0.25 lets hundreds of thousands of boxes through.
RANDOM_CONF = 0.5
