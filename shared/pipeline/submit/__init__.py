"""A prepared batch → a batch at the service, created once.

submission        the step: upload the input file, create the batch
input_file        the file as it is uploaded
uploaded_file     the file at its target: whether it is ready, and its end
refusals          what becomes of a batch that the service refuses; splitting cuts one that exceeds the quota
lost_creations    batches whose creation got no answer: finding and recognising them
"""
