"""What people see of the app over HTTP: the API, its description and the status page.

api             jobs: list, read, cancel, release, retry
result_routes   a job's files and rows; row_pages reads them page by page
response        an HTTP response as a value, errors included
openapi         the description of the routes, with openapi_schemas
status_page     the page, put together from the files in page/
"""
