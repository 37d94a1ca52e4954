// Preloaded into a Node server (node -r): stops it when its standard input, a pipe held by the parent, ends.
// An emitted signal runs the server's own handlers, on Windows too, where a sent one would just end the process.
process.stdin.resume();
process.stdin.on("end", () => {
  if (!process.emit("SIGTERM", "SIGTERM")) process.exit(1); // it was still starting
  setTimeout(() => process.exit(1), 10_000).unref();
});
