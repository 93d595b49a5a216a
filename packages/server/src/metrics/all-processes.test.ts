import { expect, test } from "vitest";
import { joinMetrics } from "./all-processes.js";

const text = (value: number) => `# HELP a Things.
# TYPE a gauge
a ${value}
# HELP b_seconds Time {spent}.
# TYPE b_seconds histogram
b_seconds_bucket{le="0.1"} ${value}
b_seconds_count ${value}
`;

test("each figure stands once, with the samples of all processes", () => {
  expect(
    joinMetrics([
      { process: "7", text: text(1) },
      { process: "8", text: `${text(2)}# HELP c Only here.\n# TYPE c gauge\nc 3\n` },
    ]),
  ).toBe(
    `# HELP a Things.
# TYPE a gauge
a{process="7"} 1
a{process="8"} 2
# HELP b_seconds Time {spent}.
# TYPE b_seconds histogram
b_seconds_bucket{process="7",le="0.1"} 1
b_seconds_count{process="7"} 1
b_seconds_bucket{process="8",le="0.1"} 2
b_seconds_count{process="8"} 2
# HELP c Only here.
# TYPE c gauge
c{process="8"} 3
`,
  );
});
