/** The page, from top to bottom. */
import { VisuallyHidden } from "@mantine/core";
import classes from "./App.module.css";
import { BroadcastDemo } from "./demos/BroadcastDemo";
import { ChatDemo } from "./demos/ChatDemo";
import { GameDemo } from "./demos/GameDemo";
import { LogDemo } from "./demos/LogDemo";
import { NumbersDemo } from "./demos/NumbersDemo";
import { ProgressDemo } from "./demos/ProgressDemo";
import { RecordDemo } from "./demos/RecordDemo";
import { ToastDemo } from "./demos/ToastDemo";
import { Banner } from "./parts/Banner";
import { ConnectionPanel } from "./parts/ConnectionPanel";
import { Header } from "./parts/Header";
import { Hero } from "./parts/Hero";
import { Toasts } from "./parts/Toasts";

export function App() {
  return (
    <>
      <Banner />
      <div className={classes.page}>
        <Header />
        <main className={classes.main}>
          <Hero />
          <ConnectionPanel />
          <VisuallyHidden component="h2">Eight things to try</VisuallyHidden>
          <ProgressDemo />
          <ToastDemo />
          <BroadcastDemo />
          <ChatDemo />
          <GameDemo />
          <RecordDemo />
          <NumbersDemo />
          <LogDemo />
        </main>
        <footer className={classes.footer}>
          Fanfare’s development server. It listens on this machine only, everybody here may publish, and its
          logs live in memory.
        </footer>
      </div>
      <Toasts />
    </>
  );
}
