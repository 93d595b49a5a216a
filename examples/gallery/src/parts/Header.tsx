/** The name, and the choice of light and dark. */
import { SegmentedControl, useMantineColorScheme } from "@mantine/core";
import classes from "./Header.module.css";

const SCHEMES = [
  { value: "auto", label: "Auto" },
  { value: "light", label: "Light" },
  { value: "dark", label: "Dark" },
] as const;

export function Header() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <header className={classes.header}>
      <span className={classes.name}>
        <img src="./icon.svg" alt="" width={32} height={32} />
        Fanfare
      </span>
      <SegmentedControl
        aria-label="Colours of the page"
        size="xs"
        value={colorScheme}
        onChange={setColorScheme}
        data={[...SCHEMES]}
      />
    </header>
  );
}
