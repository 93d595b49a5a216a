/** The drawing: a server, Fanfare, three windows. It is live: each message that this window hears runs along the wires. */
import { useCut } from "../push/fanfare";
import { useTraffic } from "../push/traffic";
import classes from "./Wires.module.css";

const IN = "M 118 150 H 180";
const WIRES = [
  { name: "this window", y: 52, path: "M 244 150 C 300 150 280 52 336 52", isThis: true },
  { name: "another", y: 150, path: "M 244 150 H 336", isThis: false },
  { name: "and another", y: 248, path: "M 244 150 C 300 150 280 248 336 248", isThis: false },
] as const;
/** This many messages are drawn at once; a burst is a row of sparks. */
const SPARKS = 5;

export function Wires() {
  const isCut = useCut();
  const { heard, unheard } = useTraffic();
  const total = heard + unheard;
  const sparks = Array.from({ length: Math.min(SPARKS, total) }, (_, i) => total - i);
  return (
    <svg className={classes.wires} viewBox="0 0 460 300" role="img" aria-label={description(isCut, heard)}>
      <path className={classes.wire} d={IN} />
      {WIRES.map(({ name, path, isThis }) => (
        <path key={name} className={classes.wire} data-cut={isThis && isCut} d={path} />
      ))}
      {sparks.map((spark) => (
        <g key={spark}>
          <circle className={classes.spark} r={5} style={{ offsetPath: `path("${IN}")` }} />
          {WIRES.map(({ name, path, isThis }) => (
            <circle
              key={name}
              className={classes.sparkOut}
              data-cut={isThis && isCut}
              r={5}
              style={{ offsetPath: `path("${path}")` }}
            />
          ))}
        </g>
      ))}
      <g>
        <rect className={classes.box} x={2} y={112} width={116} height={76} rx={10} />
        <text className={classes.label} x={60} y={145}>
          your server
        </text>
        <text className={classes.code} x={60} y={168}>
          POST
        </text>
      </g>
      <g>
        <circle className={classes.hub} cx={212} cy={150} r={32} />
        <g transform="translate(195.5 133.5) scale(1.03)">
          <path className={classes.horn} d="M6 14v4l4 .6v4.900h3.400v-4.400L20 20.500V11.500L10 13.400z" />
          <path className={classes.sound} d="M23 12.500a5 5 0 0 1 0 7M25.600 9.800a9 9 0 0 1 0 12.400" />
        </g>
      </g>
      {WIRES.map(({ name, y, isThis }) => (
        <g key={name} data-cut={isThis && isCut} className={classes.window}>
          <rect className={classes.box} x={336} y={y - 38} width={122} height={76} rx={10} />
          <path className={classes.bar} d={`M 336 ${y - 20} h 122`} />
          <circle className={classes.dot} cx={347} cy={y - 29} r={2.5} />
          <circle className={classes.dot} cx={356} cy={y - 29} r={2.5} />
          <text className={classes.label} x={397} y={isThis ? y + 2 : y + 15}>
            {name}
          </text>
          {isThis && (
            <text className={classes.code} x={397} y={y + 25}>
              {isCut ? "cut off" : inMessages(heard)}
            </text>
          )}
        </g>
      ))}
    </svg>
  );
}

function inMessages(count: number): string {
  return count === 1 ? "1 message" : `${count} messages`;
}

function description(isCut: boolean, heard: number): string {
  const here = isCut ? "This window is cut off." : `This window has heard ${inMessages(heard)}.`;
  return `Your server sends one POST to Fanfare, and Fanfare sends it to all windows. ${here}`;
}
