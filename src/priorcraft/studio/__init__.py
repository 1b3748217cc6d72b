"""The studio: a page on this machine, on which every sentence of the chapter is moved by hand.

server      the address, the token, Ctrl-C
guard       who may ask: this page, on this machine, with the token
app         page and API as one application; the page opens while what the API needs is imported
api         the routes of all rooms, and refusals in sentences
workspace   runs, data and fitted models in one folder
trainings   child processes that outlive the page and the server
uploads     files from the page, checked before they touch the disk
desk        work off the event loop; what a newer request made stale is dropped
wire        arrays as raw bytes
rooms/      one file a room: what its page asks
freeze      one offline page of a small model
page/       what the browser gets: plain ES modules, no build step, no request to the outside
"""
