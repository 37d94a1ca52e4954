"""Images and documents: which blobs a row names, whether they can be sent, and how they travel in a request."""
