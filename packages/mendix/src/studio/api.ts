/** Studio Pro's interface for a widget's configuration, as far as we use it. */

/** A property in the dialogue of the widget. */
interface Property {
  readonly key: string;
}

export interface PropertyGroup {
  readonly caption: string;
  propertyGroups?: PropertyGroup[];
  properties?: Property[];
}

/** Something that the maker should mend. */
export interface Problem {
  /** Which property; an entry of a list as `handlers/1/event`. */
  readonly property: string;
  readonly severity: "error" | "warning";
  readonly message: string;
}

/** A part of the picture in structure mode. */
export type Part =
  | {
      readonly type: "Text";
      readonly content: string;
      readonly fontColor: string;
      readonly bold: boolean;
      readonly fontSize: number;
    }
  | { readonly type: "Image"; readonly document: string; readonly width: number; readonly height: number }
  | { readonly type: "Container"; readonly padding: number; readonly children: Part[] }
  | {
      readonly type: "RowLayout";
      readonly columnSize: "fixed" | "grow";
      readonly borders: boolean;
      readonly borderRadius: number;
      readonly backgroundColor: string;
      readonly padding: number;
      readonly children: Part[];
    };
