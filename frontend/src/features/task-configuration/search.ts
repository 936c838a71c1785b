export const DOCUMENT_FORMS = ["flat", "structured"] as const;
export type DocumentForm = (typeof DOCUMENT_FORMS)[number];

export const VIEWS = ["values", "plan", "document"] as const;
export type ConfigurationViewName = (typeof VIEWS)[number];

/** What the address says of the configuration. */
export interface ConfigurationSearch {
  /** Which part is shown; else the values. */
  view?: ConfigurationViewName;
  /** Values that are the fields' defaults are shown too. */
  defaults?: boolean;
  /** How the document is written; else as it is. */
  form?: DocumentForm;
}

export type ConfigurationChanges = { [Key in keyof ConfigurationSearch]?: ConfigurationSearch[Key] | undefined };

export function configurationSearch(given: Record<string, unknown>): ConfigurationSearch {
  const view = VIEWS.find((one) => one === given.view);
  const form = DOCUMENT_FORMS.find((one) => one === given.form);
  return {
    ...(view && view !== "values" && { view }),
    ...(given.defaults === true && { defaults: true }),
    ...(form && { form }),
  };
}
