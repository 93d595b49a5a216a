/** Figures of all processes of one server, for one scrape: the samples of each have a label that names the process. */

/** The figures of one process. */
export interface ProcessMetrics {
  /** Its name, such as its process id. */
  readonly process: string;
  /** In the text format of Prometheus. */
  readonly text: string;
}

interface Family {
  /** Its lines of help and type, as the first process has them. */
  readonly about: string[];
  readonly samples: string[];
}

/** One text of several, each figure once with all of its samples. */
export function joinMetrics(all: readonly ProcessMetrics[]): string {
  const families = new Map<string, Family>();
  for (const { process, text } of all) {
    let family: Family = { about: [], samples: [] };
    let isNew = false;
    for (const line of text.split("\n")) {
      if (line.startsWith("# HELP ")) {
        const [, , name = ""] = line.split(" ");
        isNew = !families.has(name);
        family = families.get(name) ?? { about: [], samples: [] };
        families.set(name, family);
      }
      if (line.startsWith("#")) {
        if (isNew) family.about.push(line);
      } else if (line !== "") family.samples.push(labelled(line, process));
    }
  }
  const lines = [...families.values()].flatMap(({ about, samples }) => [...about, ...samples]);
  return `${lines.join("\n")}\n`;
}

/** `name{a="b"} 1` or `name 1`, with a label more. */
function labelled(sample: string, process: string): string {
  const [name = "", rest = ""] = cut(sample, sample.search(/[{ ]/));
  const label = `process="${process}"`;
  return rest.startsWith("{") ? `${name}{${label},${rest.slice(1)}` : `${name}{${label}}${rest}`;
}

function cut(text: string, at: number): readonly string[] {
  return [text.slice(0, at), text.slice(at)];
}
