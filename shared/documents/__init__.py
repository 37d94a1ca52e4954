"""Images and documents: which blobs a row names, whether they can be sent, and how they travel in a request.

references      which document a row means; file_lists expands a `.files` list
image_files     what an image is, and whether it can be sent
image_tokens    what an image costs in tokens
pictures        documents in the form that requests carry
render_pages    the child process that renders the pages of PDFs
"""
