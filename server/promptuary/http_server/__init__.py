"""The HTTP front of both servers, the API's and the UI's: limits of what connections send, of their time and of their number.

It knows uvicorn and nothing of Promptuary, so both servers use it.
"""
