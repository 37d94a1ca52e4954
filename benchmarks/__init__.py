"""Benchmarks: every figure beside a floor, which is measured in the same run.

measure       time, memory and children of a step; comparisons with a floor
inputs        prompt files and answers of any size
floors        what the machine needs for the same work in its barest form
local_files   the port Files on a folder
stand_ins     an app on local files, with the service's answers from a folder
build, collect, notebook, polling, whole_way, small_files, cold_start    what is measured
report        the table and the JSON
"""
