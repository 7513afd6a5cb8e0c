// What the App lets only JavaScript do in a page that is open: show a new group in the sidebar, and new colors.
// And a line break in a text on the grid.
//
// FiftyOne's own operators reload a dataset with the groups that the page has, so a new one would come with the next
// reload of the page, and colors come only with opening the dataset, which closes the user's panels and view.
(() => {
  const { Operator, OperatorConfig, registerOperator } = window.__foo__;
  const { colorScheme, config, ensureColorScheme, sidebarGroupsDefinition } = window.__fos__;

  class ArrangeApp extends Operator {
    get config() {
      return new OperatorConfig({ name: "lgca_arrange_app", label: "Arrange a zero-shot run in the App", unlisted: true });
    }

    // params: groups, the dataset's sidebar groups; colors, its color scheme, null without
    async execute({ state, params }) {
      const defaults = await state.snapshot.getPromise(config);
      state.set(sidebarGroupsDefinition(false), params.groups);
      state.set(colorScheme, ensureColorScheme(params.colors, defaults));
    }
  }

  registerOperator(ArrangeApp, "@lgca/zero-shot");

  // The suggested class is the end of a suspect's text, which the App would cut off on a small picture.
  const style = document.createElement("style");
  style.textContent =
    "[data-cy^=tag-][data-cy$=_suspect] { white-space: normal !important; height: auto !important; text-align: left; }";
  document.head.append(style);
})();
