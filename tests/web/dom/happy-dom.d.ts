/** Stands for the package's own types, which need a newer Node.js than its code does. */
export class Window {
  constructor(options: { url: string });
  [name: string]: any;
}
