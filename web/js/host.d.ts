/**
 * The parts of ComfyUI's frontend that the pack uses, for the type checker. Described here because the published types
 * (@comfyorg/comfyui-frontend-types) do not exist for every release of the frontend.
 */

interface HostWidget {
  name: string;
  /** The translated name, if there is a translation. */
  label?: string;
  value: any;
  serialize?: boolean;
  hidden?: boolean;
  options?: Record<string, any>;
  /** The value that is sent to the server. */
  serializeValue?: () => any;
  callback?: (value: any, ...rest: any[]) => unknown;
  /** Called before the workflow is sent to the server. */
  beforeQueued?: () => void;
}

interface HostNode {
  id: number | string;
  comfyClass?: string;
  graph?: HostGraph | null;
  /** What a subgraph node contains. */
  subgraph?: HostGraph | null;
  size: [number, number];
  widgets?: HostWidget[];
  outputs?: { links?: number[] | null }[];
  inputs?: { name: string; link?: number | null; widget?: { name: string } }[];
  setSize(size: [number, number]): void;
  computeSize(): [number, number];
  addDOMWidget(name: string, type: string, element: HTMLElement, options: object): HostWidget;
  onExecuted?: (output: any) => void;
  onConfigure?: (data: any) => void;
  onExecutionStart?: () => void;
  onAdded?: (graph: HostGraph) => void;
  onConnectionsChange?: (...change: any[]) => any;
}

interface HostGraph {
  id: string;
  isRootGraph?: boolean;
  subgraphs?: Map<string, HostGraph>;
  getLink?(id: number): { target_id: number | string } | null | undefined;
  getNodeById(id: number | string): HostNode | null | undefined;
}

interface HostCanvas {
  /** Between these two calls lies one step of undo. */
  emitBeforeChange(): void;
  emitAfterChange(): void;
  setDirty(foreground: boolean, background: boolean): void;
  processMouseDown(event: PointerEvent): void;
  processMouseMove(event: PointerEvent): void;
  processMouseUp(event: PointerEvent): void;
  processMouseWheel(event: WheelEvent): void;
}

interface HostExtension {
  name: string;
  settings?: object[];
  init?(): void | Promise<void>;
  setup?(): void | Promise<void>;
  nodeCreated?(node: HostNode): void;
  onNodeOutputsUpdated?(outputs: Record<string, any>): void;
  /** The lists of files are read again. */
  refreshComboInNodes?(): void | Promise<void>;
}

interface HostApp {
  canvas: HostCanvas;
  rootGraph?: HostGraph;
  nodeOutputs?: Record<string, any>;
  extensionManager: { setting: { get(id: string): any; set(id: string, value: any): Promise<void> } };
  registerExtension(extension: HostExtension): void;
}

interface HostApi {
  apiURL(path: string): string;
  fetchApi(path: string, options?: RequestInit): Promise<Response>;
  addEventListener(type: string, listener: (event: CustomEvent) => void): void;
}

declare module "*/scripts/app.js" {
  export const app: HostApp;
}

declare module "*/scripts/api.js" {
  export const api: HostApi;
}
