"""The timeline page: one file of HTML that holds its runs, or the same page served over loopback.

Owns how calls are packed for a browser and how the page is put together; page.html, page.css and
the scripts beside this file are the page itself. Knows `traces` and the values of `replay`, never a command.
"""
