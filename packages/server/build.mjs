/** Bundles the command, and the page of the HTTP API. */
import "./build/command.mjs";
import "./build/viewer.mjs";
