// Shows the API's description with Swagger UI, from our own files alone.
const place = document.getElementById("api");

window.SwaggerUIBundle({
  url: place.dataset.description,
  domNode: place,
  deepLinking: true,
  validatorUrl: null, // by default it would ask a server of its maker
});
