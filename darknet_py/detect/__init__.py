"""From pixels to detections: preprocessing, decoded candidates, suppression, and what is drawn of them."""
