/** No colours into pipes and files: the first import of the command, since what it uses decides about colours when it is loaded. */

// Usage goes to one stream and errors to the other, so both have to be seen by a person.
const seen = process.stdout.isTTY && process.stderr.isTTY;
if (!seen || process.env.NO_COLOR) process.env.NO_COLOR = "1";
